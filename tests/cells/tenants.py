"""What all cells share: cells, organizations, users, sessions. No I/O."""

import hashlib
import hmac
import posixpath
import secrets
from dataclasses import dataclass, field


@dataclass
class Cell:
    id: str
    region: str
    answers: int = 302  # status of "not mine, ask that cell"

    @property
    def name(self):
        return "Cell " + self.id.upper()


@dataclass
class Organization:
    name: str
    cell: str  # id of the owner
    public: bool = False
    ttl: int | None = None  # seconds; said in the claim when set

    def prefixes(self):
        return (f"/{self.name}/", f"/organizations/{self.name}/", f"/api/organizations/{self.name}/")


@dataclass
class User:
    name: str
    password: str = "secret"
    organizations: tuple = ()
    home: str | None = None  # organization of the start page; none: a legacy user
    admin: bool = False


# As in the seed flows: a path under one of these belongs to that cell.
OWNERS = {
    "gitlab-org": ("us0", True),
    "my-company": ("eu0", False),
    "my-organization": ("eu0", False),
    "not-my-company": ("us1", False),
}

USERS = (
    User("alice", organizations=("my-company", "my-organization"), home="my-organization"),
    User("larry", organizations=("my-company",)),  # legacy: has no organization of his own
    User("nora", organizations=("not-my-company",), home="not-my-company"),
    User("root", organizations=tuple(OWNERS), admin=True),
)

LEGACY_CELL = "us0"  # keeps what was there before there were cells


@dataclass
class Site:
    """The shared tables. Cells of one process all read the same object."""

    cells: dict  # id -> Cell, in the order of configuration
    organizations: dict = field(default_factory=dict)
    users: dict = field(default_factory=lambda: {user.name: user for user in USERS})
    repositories: str = ""  # folder of git repositories; empty: there are none
    # signs sessions; cells of several processes share it
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __post_init__(self):
        self.restore()

    def restore(self):
        """Every organization back where it was; cells that are not there leave theirs to the first one."""
        first = next(iter(self.cells))
        self.organizations = {
            name: Organization(name, cell if cell in self.cells else first, public)
            for name, (cell, public) in OWNERS.items()
        }

    def add_organization(self, name, cell, public=True):
        self.organizations[name] = Organization(name, self.cells[cell].id, public)

    def move(self, name, cell):
        self.organizations[name].cell = self.cells[cell].id

    def legacy_cell(self):
        return LEGACY_CELL if LEGACY_CELL in self.cells else next(iter(self.cells))

    def open_session(self, user):
        return f"{self.users[user].name}.{self.signature(user)}"

    def signature(self, user):
        return hmac.new(self.secret, user.encode(), hashlib.sha256).hexdigest()

    def user_of(self, cookies):
        name, _, signature = cookies.get("_session", "").partition(".")
        return self.users.get(name) if hmac.compare_digest(signature.encode(), self.signature(name).encode()) else None

    def organization_of(self, path):
        """(organization, prefix) that the path lies under, or (None, None)."""
        segments = clean(path).strip("/").split("/")
        for head in ((), ("organizations",), ("api", "organizations")):
            if tuple(segments[: len(head)]) == head and len(segments) > len(head):
                organization = self.organizations.get(segments[len(head)])
                if organization:
                    return organization, "/" + "/".join((*head, organization.name)) + "/"
        return None, None


def clean(path):
    """The path as the application reads it: no empty and no dot segments, as web frameworks do."""
    return posixpath.normpath("/" + path.lstrip("/"))
