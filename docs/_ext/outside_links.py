"""Let links to files beside the folder ``docs`` lead to their pages in the site."""

PAGES = {
    "README.md": "tour.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/million_hours.md": "million_hours.md",
}


def mend_links(app, docname, source):
    """Replace the targets of links in the text of a page."""
    up = "../" * docname.count("/")
    for path, page in PAGES.items():
        source[0] = source[0].replace(f"](../{up}{path})", f"]({up}{page})")


def setup(app):
    """Connect to Sphinx."""
    app.connect("source-read", mend_links)
    return {"parallel_read_safe": True}
