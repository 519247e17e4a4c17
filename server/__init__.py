"""What surrounds pages and API in the one web server: names, headers, sockets and the static script."""
