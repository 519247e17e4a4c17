"""The line at the top of each page that says how recording goes, and counts on in the browser without the server."""
