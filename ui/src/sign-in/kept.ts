/** What stays in the browser for a while: how somebody signs in, never with what. */

/** Where Entra ID sends the browser back to. */
export const SIGNED_IN = "/ui/_signed-in";
/** What a sign-in by Entra ID needs when the browser comes back. */
export const BEGUN = "slipway.sign-in";
/** That this tab was signed in by Entra ID, so that a reload does so again without asking. */
const BY_ENTRA = "slipway.by-entra";

/** Whether an address is one of this page, without a host that it could lead away to. */
export function isOwnPath(path: string): boolean {
  return /^\/(?:ui(?:\/|$|\?)|$)/.test(path) && !path.includes("\\") && path !== SIGNED_IN;
}

export function hasBegun(): boolean {
  return sessionStorage.getItem(BEGUN) !== null;
}

/** Whether a silent sign-in was begun, and where it wanted to return to. */
export function returnPath(): string {
  try {
    const begun: unknown = JSON.parse(sessionStorage.getItem(BEGUN) ?? "null");
    const path =
      typeof begun === "object" && begun !== null && "returnTo" in begun ? begun.returnTo : "";
    return typeof path === "string" && isOwnPath(path) ? path : "/ui/";
  } catch {
    return "/ui/";
  }
}

export function rememberEntra(isByEntra: boolean): void {
  if (isByEntra) {
    sessionStorage.setItem(BY_ENTRA, "1");
  } else {
    sessionStorage.removeItem(BY_ENTRA);
  }
}

export function wasByEntra(): boolean {
  return sessionStorage.getItem(BY_ENTRA) !== null;
}
