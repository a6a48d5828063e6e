"""The web view: a page, a JSON API, live pictures, health and metrics. Needs the extra `runner`."""
