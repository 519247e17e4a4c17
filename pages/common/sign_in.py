"""Signing in: which readers may read, the page for all others, and the button to sign out."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from settings import Settings

_PAGE_WIDTH = 420

# A proxy names its client, itself or what the browser asked for in headers that begin like these.
_OF_A_PROXY = ("x-forwarded-", "forwarded", "via", "x-real-", "x-client-", "x-original-", "true-client-", "cf-", "cdn-")


def admits(settings: Settings) -> bool:
    """May this reader read? Everyone may where no sign-in is set up."""
    if settings.sign_in is None:
        return True
    return bool(st.user.get("is_logged_in")) and refusal(st.user, settings.allowed_emails) is None


def refusal(user: Mapping[str, Any], allowed: Collection[str]) -> str | None:
    """The reason why a reader who signed in may not read, as Markdown; None if the reader may."""
    email = str(user.get("email") or "")
    if not email:
        return "The account that you signed in with has no e-mail address."
    if str(user.get("email_verified", True)).lower() == "false":
        return f"{_plain(email)} is not verified: the service you signed in with has not confirmed that it is yours."
    if email.lower() not in allowed:
        return f"{_plain(email)} is not among the addresses that may read here."
    return None


def acknowledges_as(settings: Settings) -> str | None:
    """The name under which this reader may acknowledge alerts; None if the reader may not.

    It is the e-mail address of a signed-in reader. Without sign-in it is "local" for a reader at this machine.
    """
    if settings.sign_in is not None:
        return str(st.user.get("email")) if admits(settings) else None
    return "local" if at_this_machine(st.context.ip_address, st.context.headers) else None


def at_this_machine(address: str | None, headers: Mapping[str, str]) -> bool:
    """Does the reader sit at the serving machine? Streamlit gives no address then, nor for a proxy on the machine.

    A proxy shows in its headers, or in a name that is not this machine's own: the browser sends the name that its
    reader asked for as Host, and the page's as Origin.
    """
    if address is not None or any(name.lower().startswith(_OF_A_PROXY) for name in headers):
        return False
    sent = {name.lower(): value for name, value in headers.items()}
    return _is_here(f"//{sent.get('host', '')}") and _is_here(sent.get("origin", ""))


def _is_here(url: str) -> bool:
    """Is the name in a URL localhost or a loopback address?"""
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def ask(settings: Settings) -> None:
    """Draw the page for a reader who may not read: to sign in, or the reason and a button to sign out."""
    why = refusal(st.user, settings.allowed_emails) if st.user.get("is_logged_in") else None
    st.set_page_config(page_title="Sign in")
    with st.container(horizontal_alignment="center"), st.container(border=True, width=_PAGE_WIDTH, gap="medium"):
        if why is None:
            _to_sign_in(settings)
        else:
            st.title("No access", anchor=False)
            st.markdown(f"{why} Sign out to use another account, or ask the operator of this dashboard.")
            st.button("Sign out", icon=":material/logout:", on_click=st.logout, width="stretch")


def _to_sign_in(settings: Settings) -> None:
    providers = settings.sign_in.providers if settings.sign_in else ()
    st.title("Sign in", anchor=False)
    st.markdown("This dashboard is private. Sign in with an account that its operator allows.")
    for provider in providers:
        label = "Sign in" if provider == "default" else f"Sign in with {provider.capitalize()}"
        st.button(label, key=provider, icon=":material/login:", width="stretch", on_click=st.login, args=[provider])


def reader(settings: Settings) -> None:
    """Show who is signed in, with a button to sign out; nothing where no sign-in is set up."""
    if settings.sign_in is None:
        return
    with st.popover("Account", icon=":material/account_circle:"):
        st.markdown(f"Signed in as {_plain(str(st.user.get('email')))}")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout, width="stretch")


def _plain(email: str) -> str:
    """An address as it is; without the backticks it would become a link."""
    return f"`{email.replace('`', '')}`"
