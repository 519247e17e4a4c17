"""Signing in: who may read, the page for who may not, and the button by which a reader leaves."""

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

from settings import Settings

_PAGE_WIDTH = 420

# Headers by which a proxy says for whom it asks.
_FORWARDED = frozenset({"x-forwarded-for", "forwarded", "x-real-ip"})


def admits(settings: Settings) -> bool:
    """May this reader read? Where nobody has to sign in, everyone may."""
    if settings.sign_in is None:
        return True
    return bool(st.user.get("is_logged_in")) and refusal(st.user, settings.allowed_emails) is None


def refusal(user: Mapping[str, Any], allowed: Collection[str]) -> str | None:
    """Why someone who signed in may not read, as Markdown; None if they may."""
    email = str(user.get("email") or "")
    if not email:
        return "The account that you signed in with tells no e-mail address."
    if str(user.get("email_verified", True)).lower() == "false":
        return f"Whether {_plain(email)} is yours has not been verified where you signed in."
    if email.lower() not in allowed:
        return f"{_plain(email)} is not among the addresses that may read here."
    return None


def acknowledges_as(settings: Settings) -> str | None:
    """Under which name this reader may acknowledge alerts; None if they may not.

    It is the e-mail address of one who signed in. Where nobody has to, it is "local" for one at this machine.
    """
    if settings.sign_in is not None:
        return str(st.user.get("email")) if admits(settings) else None
    return "local" if at_this_machine(st.context.ip_address, st.context.headers) else None


def at_this_machine(address: str | None, headers: Mapping[str, str]) -> bool:
    """Does a reader sit at the machine that serves? Streamlit tells no address of one, nor of a proxy there."""
    return address is None and not _FORWARDED.intersection(name.lower() for name in headers)


def ask(settings: Settings) -> None:
    """Draw the page of who may not read: to sign in, or why not and to sign out."""
    why = refusal(st.user, settings.allowed_emails) if st.user.get("is_logged_in") else None
    st.set_page_config(page_title="Sign in")
    with st.container(horizontal_alignment="center"), st.container(border=True, width=_PAGE_WIDTH, gap="medium"):
        if why is None:
            _to_sign_in(settings)
        else:
            st.title("No access", anchor=False)
            st.markdown(f"{why} Sign out to come in with another account, or ask whoever runs this dashboard.")
            st.button("Sign out", icon=":material/logout:", on_click=st.logout, width="stretch")


def _to_sign_in(settings: Settings) -> None:
    providers = settings.sign_in.providers if settings.sign_in else ()
    st.title("Sign in", anchor=False)
    st.markdown("This dashboard is private. Sign in with an account that its owner lets in.")
    for provider in providers:
        label = "Sign in" if provider == "default" else f"Sign in with {provider.capitalize()}"
        st.button(label, key=provider, icon=":material/login:", width="stretch", on_click=st.login, args=[provider])


def reader(settings: Settings) -> None:
    """Draw who is reading, with the way out; nothing where nobody has to sign in."""
    if settings.sign_in is None:
        return
    with st.popover("Account", icon=":material/account_circle:"):
        st.markdown(f"Signed in as {_plain(str(st.user.get('email')))}")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout, width="stretch")


def _plain(email: str) -> str:
    """An address as it is, which would else become a link."""
    return f"`{email.replace('`', '')}`"
