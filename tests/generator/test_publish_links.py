"""The link that opens a pull request, for every kind of server and every spelling of its remotes."""

from __future__ import annotations

import pytest

from generator.compare import Forge, compare_url

GITLAB = "-/merge_requests/new?merge_request%5Bsource_branch%5D=t&merge_request%5Btarget_branch%5D=main"
AZURE = "pullrequestcreate?sourceRef=t&targetRef=main"
SERVER = "pull-requests?create&sourceBranch=refs%2Fheads%2Ft&targetBranch=refs%2Fheads%2Fmain"
CLOUD = "pull-requests/new?source=t&dest=main"


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://github.com/acme/gitops.git", "https://github.com/acme/gitops/compare/main...t?expand=1"),
        ("https://github.com/acme/gitops/", "https://github.com/acme/gitops/compare/main...t?expand=1"),
        ("git@github.com:acme/gitops.git", "https://github.com/acme/gitops/compare/main...t?expand=1"),
        ("ssh://git@ssh.github.com:443/a/b.git", "https://github.com/a/b/compare/main...t?expand=1"),
        ("git@github.example.com:a/b.git", "https://github.example.com/a/b/compare/main...t?expand=1"),
        ("https://acme.ghe.com/a/b", "https://acme.ghe.com/a/b/compare/main...t?expand=1"),
        ("https://me:pw@gitlab.com/a/b/c.git", f"https://gitlab.com/a/b/c/{GITLAB}"),
        ("ssh://git@gitlab.acme.io:2222/a/b", f"https://gitlab.acme.io/a/b/{GITLAB}"),
        ("https://gitlab.acme.io:8443/a/b.git", f"https://gitlab.acme.io:8443/a/b/{GITLAB}"),
        ("http://gitlab.local/a/b.git", f"http://gitlab.local/a/b/{GITLAB}"),
        (
            "https://dev.azure.com/org/My%20Project/_git/r",
            f"https://dev.azure.com/org/My%20Project/_git/r/{AZURE}",
        ),
        ("https://me@dev.azure.com/org/p/_git/r", f"https://dev.azure.com/org/p/_git/r/{AZURE}"),
        ("https://dev.azure.com/org/_git/r", f"https://dev.azure.com/org/_git/r/{AZURE}"),
        ("git@ssh.dev.azure.com:v3/org/p/r", f"https://dev.azure.com/org/p/_git/r/{AZURE}"),
        ("https://org.visualstudio.com/p/_git/r", f"https://org.visualstudio.com/p/_git/r/{AZURE}"),
        (
            "https://org.visualstudio.com/DefaultCollection/p/_git/r",
            f"https://org.visualstudio.com/DefaultCollection/p/_git/r/{AZURE}",
        ),
        ("org@vs-ssh.visualstudio.com:v3/org/p/r", f"https://org.visualstudio.com/p/_git/r/{AZURE}"),
        ("https://bitbucket.org/team/r.git", f"https://bitbucket.org/team/r/{CLOUD}"),
        ("git@bitbucket.org:team/r.git", f"https://bitbucket.org/team/r/{CLOUD}"),
        (
            "https://bitbucket.acme.io/scm/PRJ/r.git",
            f"https://bitbucket.acme.io/projects/PRJ/repos/r/{SERVER}",
        ),
        ("https://bitbucket.acme.io/scm/~ada/r.git", f"https://bitbucket.acme.io/users/ada/repos/r/{SERVER}"),
        ("ssh://git@code.acme.io:7999/PRJ/r.git", f"https://code.acme.io/projects/PRJ/repos/r/{SERVER}"),
        (
            "https://bitbucket.acme.io/b/scm/P/r.git",
            f"https://bitbucket.acme.io/b/projects/P/repos/r/{SERVER}",
        ),
    ],
)
def test_links_are_known_for_the_usual_servers(remote: str, url: str) -> None:
    """HTTPS, SSH and scp-like spellings; ports of SSH and credentials are dropped."""
    assert compare_url(remote, "main", "t") == url


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "file:///srv/gitops.git",
        "/srv/github/gitops.git",
        "../gitops.git",
        "C:/repositories/github.git",
        "https://code.acme.io/a/b.git",
        "https://github.com/only-one",
        "https://github.com:port/a/b",
        "https://[github.com/a/b",
        "ext::sh -c github.com/a/b",
        "--upload-pack=x@github.com:a/b",
        "git@ssh.dev.azure.com:v3/org/p",
        "https://dev.azure.com/org/p/r",
        "https://bitbucket.org/only-one",
        "https://bitbucket.acme.io/r",
        "https://gitlab.com/only-one",
    ],
)
def test_no_link_is_made_up(remote: str) -> None:
    """Unknown servers, folders and remotes that fit no pattern have no link, and raise nothing."""
    assert compare_url(remote, "main", "t") is None


@pytest.mark.parametrize(
    ("forge", "url"),
    [
        (Forge.GITHUB, "https://code.acme.io/a/b/compare/main...t?expand=1"),
        (Forge.GITLAB, f"https://code.acme.io/a/b/{GITLAB}"),
        (Forge.BITBUCKET_SERVER, f"https://code.acme.io/projects/a/repos/b/{SERVER}"),
    ],
)
def test_a_hint_says_what_an_unknown_host_is(forge: Forge, url: str) -> None:
    """An enterprise server may have any name."""
    assert compare_url("git@code.acme.io:a/b.git", "main", "t", forge) == url


def test_hostile_names_are_quoted() -> None:
    """Neither a branch nor a repository can add to the query, leave the path or hold a blank."""
    base, topic = "a b?c#d", "corespec/x&y=$(z)"
    github = compare_url("https://github.com/o/r%3F%22x.git", base, topic)
    assert github == (
        "https://github.com/o/r%3F%22x/compare/a%20b%3Fc%23d...corespec/x%26y%3D%24%28z%29?expand=1"
    )
    azure = compare_url("https://dev.azure.com/o/p/_git/r", base, topic)
    assert azure == (
        "https://dev.azure.com/o/p/_git/r/pullrequestcreate"
        "?sourceRef=corespec%2Fx%26y%3D%24%28z%29&targetRef=a+b%3Fc%23d"
    )
    assert "hunter2" not in str(compare_url("https://me:hunter2@github.com/a/b", base, topic))
