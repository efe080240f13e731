"""A function app whose timers and queues note what happens to them, and crash on demand.

Notes are lines of JSON in the file that EVENTS names, since they have to outlive this process.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import azure.functions as func
from azure.functions.timer import TimerRequest

from devhost.processes import stopping
from devhost.triggers import queue_messages

if "LEASE_SECONDS" in os.environ:
    # What is left of a host that will be killed is wanted again within the patience of a test.
    queue_messages.LEASE = timedelta(seconds=int(os.environ["LEASE_SECONDS"]))

app = func.FunctionApp()


def note(function: str, **facts: object) -> None:
    """Note that a function was called."""
    with Path(os.environ["EVENTS"]).open("a") as file:
        file.write(json.dumps({"function": function, **facts}) + "\n")


@app.timer_trigger(schedule="%EVERY_SECOND%", arg_name="timer")
async def crashing(timer: TimerRequest) -> None:
    """Fail at every tick, in one way or another."""
    note("crashing", at=time.time(), past_due=timer.past_due)
    if int(time.time()) % 2:
        sys.exit("on purpose")
    raise ValueError("on purpose")


@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True)
def yearly(timer: TimerRequest) -> None:
    """Run in a thread, once a year and at the start."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    status = timer.schedule_status
    note("yearly", past_due=timer.past_due, status=status, in_main_thread=in_main_thread)


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="Work")
async def work(message: func.QueueMessage) -> None:
    """Do what the message says."""
    todo = message.get_body().decode()
    note("work", todo=todo, dequeue_count=message.dequeue_count)
    match todo.split()[0]:
        case "fail":
            raise ValueError("on purpose")
        case "exit":
            sys.exit("on purpose")
        case "die" if message.dequeue_count == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang" if message.dequeue_count == 1:
            await asyncio.Event().wait()
        case "block":
            stopping.LAST_RESORT = 0.5
            time.sleep(600)  # noqa: ASYNC251 - which no function should do
    note("done", todo=todo)


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%-sync", connection="Work")
def work_in_thread(message: func.QueueMessage) -> None:
    """Never return."""
    note("work_in_thread", todo=message.get_body().decode(), dequeue_count=message.dequeue_count)
    threading.Event().wait()
