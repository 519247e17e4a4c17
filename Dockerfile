# The dashboard with its recorder, or either alone: docs/docker.md.
FROM python:3.13-slim

# Number 1000 is the first user of most machines: a folder of theirs can take the place of the volume.
RUN useradd --uid 1000 --user-group --home-dir /app --shell /usr/sbin/nologin tickwell \
    && install --directory --owner tickwell --group tickwell /app/data
WORKDIR /app

# Before the code, so that a changed line of it installs nothing anew.
COPY requirements.txt .
RUN pip install --no-cache-dir --root-user-action ignore -r requirements.txt

COPY . .

# The files don't change. Its address is named, so that it asks nobody for one and answers under no foreign name:
# docs/names.md.
ENV HOME=/app STREAMLIT_SERVER_FILE_WATCHER_TYPE=none STREAMLIT_BROWSER_SERVER_ADDRESS=localhost
USER 1000
VOLUME /app/data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "deploy/healthcheck.py", "http://127.0.0.1:8501/api/health"]

# In this form python itself is process number 1 and gets the SIGTERM of `docker stop`, at which it ends its run.
CMD ["streamlit", "run", "dashboard.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
