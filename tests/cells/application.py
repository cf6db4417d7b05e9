"""The application: what a cell answers to a request. Pure but for the streams that it hands out."""

import json
from urllib.parse import parse_qs, quote

from cells import repositories, streams
from cells.tenants import clean
from cells.wire import Answer

REDIRECT = "X-Gitlab-Cell-Redirect"
CACHE = "X-Gitlab-Cell-Cache"


def answer(site, cell, request, gates):
    """The honest answer of this cell to a request that has arrived whole."""
    user = site.user_of(request.cookies())
    path = clean(request.path)
    if path == "/-/health":
        return Answer(200, body=b"ok\n")
    if path == "/users/sign_in":
        return sign_in(site, cell, request)
    if path == "/":
        return start_page(cell, request, user)
    if path == "/dashboard":
        return dashboard(site, cell, request, user)
    if path == "/admin" or path.startswith("/admin/"):
        return admin(site, cell, request, user, path)
    if path.startswith("/api/v4/"):
        return api(site, cell, request, user)
    organization, prefix = site.organization_of(request.path)
    if organization:
        return tenant(site, cell, request, user, organization, prefix, gates)
    return not_found(cell)


def redirect_to(site, here, owner):
    """Addressed to the router: deliver this request to the owner."""
    headers = [[REDIRECT, f"{{cell:{site.cells[owner].name}}}"], ["X-Cell", here.id]]
    return Answer(here.answers, headers, b"another cell owns this\n")


def own_redirect(cell, location, headers=()):
    """An ordinary 302: goes to the client untouched."""
    return Answer(302, [["Location", location], ["X-Cell", cell.id], *headers], b"see there\n")


def page(cell, request, user, **more):
    told = {
        "cell": cell.id,
        "name": cell.name,
        "method": request.method,
        "target": request.target,
        "user": user.name if user else None,
        "body_length": request.length,
        "body_sha256": request.sha256,
        **more,
    }
    body = (json.dumps(told) + "\n").encode()
    return Answer(200, [["Content-Type", "application/json"], ["X-Cell", cell.id]], body)


def not_found(cell):
    return Answer(404, [["X-Cell", cell.id]], b"There is nothing here, or it is not for you.\n")


def ask_to_sign_in(cell, request):
    if request.path.startswith("/api/"):
        return Answer(401, [["X-Cell", cell.id], ["WWW-Authenticate", "Cookie"]], b"sign in first\n")
    return own_redirect(cell, "/users/sign_in?redirect=" + quote(request.target, safe="/"))


def sign_in(site, cell, request):
    wanted = parse_qs(request.query).get("redirect", ["/"])[0]
    target = wanted if wanted.startswith("/") and not wanted.startswith("//") else "/"
    if request.method != "POST":
        body = (b"<form method=post><input name=user><input name=password type=password>"
                b"<button>Sign in</button></form>\n")
        return Answer(200, [["Content-Type", "text/html"], ["X-Cell", cell.id]], body)
    form = {key: values[0] for key, values in parse_qs(request.body.decode("latin-1")).items()}
    user = site.users.get(form.get("user", ""))
    if not user or user.password != form.get("password"):
        return Answer(422, [["X-Cell", cell.id]], b"wrong name or password\n")
    cookies = [
        ["Set-Cookie", f"_session={site.open_session(user.name)}; Path=/; HttpOnly"],
        ["Set-Cookie", f"known_as={user.name}; Path=/; Max-Age=1209600"],
    ]
    return own_redirect(cell, target, cookies)


def start_page(cell, request, user):
    if not user:
        return own_redirect(cell, "/users/sign_in?redirect=/")
    return own_redirect(cell, home_of(user))


def home_of(user):
    return f"/organizations/{user.home}/-/dashboard" if user.home else "/dashboard"


def dashboard(site, cell, request, user):
    """Depends on the user alone, so it carries no claim."""
    if not user:
        return ask_to_sign_in(cell, request)
    if user.home:
        return own_redirect(cell, home_of(user))
    owner = site.legacy_cell()
    return page(cell, request, user) if owner == cell.id else redirect_to(site, cell, owner)


def admin(site, cell, request, user, path):
    if not user:
        return ask_to_sign_in(cell, request)
    if not user.admin:
        return not_found(cell)
    if path == "/admin":
        return own_redirect(cell, f"/admin/cells/{cell.id}")
    segments = path.split("/")
    if segments[2] != "cells" or len(segments) < 4 or segments[3] not in site.cells:
        return not_found(cell)
    if segments[3] != cell.id:
        return redirect_to(site, cell, segments[3])
    return claimed(page(cell, request, user), f"/admin/cells/{cell.id}/")


def api(site, cell, request, user):
    """Only the body names the owner: {"organization": …, "cache": prefix that the owner shall claim}."""
    asked = named_in(request)
    organization = site.organizations.get(asked.get("organization"))
    if organization and organization.cell != cell.id:
        return redirect_to(site, cell, organization.cell)
    served = page(cell, request, user)
    return claimed(served, asked["cache"]) if organization and asked.get("cache") else served


def named_in(request):
    text = request.body.decode("latin-1")
    if "json" in request.get("content-type"):
        try:
            value = json.loads(text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
    return {key: values[0] for key, values in parse_qs(text).items()}


def tenant(site, cell, request, user, organization, prefix, gates):
    if not organization.public and not user:
        return ask_to_sign_in(cell, request)
    if organization.cell != cell.id:
        return redirect_to(site, cell, organization.cell)
    if organization.public or organization.name in user.organizations:
        served = resource(site, cell, request, user, gates)
    else:
        served = not_found(cell)
    return claimed(served, prefix, organization.ttl)


def claimed(served, prefix, ttl=None):
    served.headers.append([CACHE, f"{{path_prefix:{prefix}{f', ttl:{ttl}' if ttl else ''}}}"])
    return served


def resource(site, cell, request, user, gates):
    if site.repositories and repositories.is_git(request):
        return repositories.ask(site.repositories, cell, request, user)
    last = request.path.rpartition("/")[2]
    query = {key: values[0] for key, values in parse_qs(request.query).items()}
    if last == "websocket" and "websocket" in request.get("upgrade").lower():
        return streams.websocket(cell, request)
    if last == "events":
        return streams.events(cell, gates, query.get("gate"))
    if last == "download":
        return streams.download(cell, int(query.get("bytes", "0")), "chunked" in query)
    return page(cell, request, user)
