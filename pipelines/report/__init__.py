"""Pages about runs: what was found out, as data, and the HTML it is shown in."""
