"""The process that publishes into a lake beside a recorder: kept running, and ended with the recorder."""
