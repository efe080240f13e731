/** What an access token allows, as it says itself. It is only shown by this: the registry decides. */

import { fields, json, list, text, texts } from "../model/loose";

export interface Access {
  type: string;
  name: string;
  actions: string[];
}

export function accessIn(token: string): Access[] {
  const payload = token.split(".")[1] ?? "";
  const claims = fields(json(decodePart(payload)));
  return list(claims["access"])
    .map(fields)
    .map((each) => ({
      type: text(each["type"]),
      name: text(each["name"]),
      actions: texts(each["actions"]),
    }));
}

function decodePart(part: string): string {
  try {
    const bytes = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
  } catch {
    return "";
  }
}
