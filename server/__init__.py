"""What surrounds the pages and the API in the one web server: names, headers, sockets and the static script."""
