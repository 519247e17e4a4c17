# The dashboard with its recorder, or either alone: docs/docker.md.
FROM python:3.13-slim

# 1000 is the first user of most machines. A folder of that user can take the place of the volume.
RUN useradd --uid 1000 --user-group --home-dir /app --shell /usr/sbin/nologin tickwell \
    && install --directory --owner tickwell --group tickwell /app/data
WORKDIR /app

# Libraries come before the code, so that a changed line of code installs nothing anew.
COPY requirements.txt .
RUN pip install --no-cache-dir --root-user-action ignore -r requirements.txt

COPY . .

# The files don't change, so nothing watches them. The server's name is set, so that the server asks no service for one
# and answers under no foreign name: docs/names.md.
ENV HOME=/app STREAMLIT_SERVER_FILE_WATCHER_TYPE=none STREAMLIT_BROWSER_SERVER_ADDRESS=localhost
USER 1000
VOLUME /app/data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "deploy/healthcheck.py", "http://127.0.0.1:8501/api/health"]

# In this form the server itself is process 1. It gets the SIGTERM of `docker stop`, and ends its run.
CMD ["streamlit", "run", "dashboard.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
