"""``report.html``: what a training came to, as one page that needs no network. No torch."""
