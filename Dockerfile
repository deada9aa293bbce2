# The service as a container: small, not root, on a read-only root file system (give it a writable /tmp).
#   docker run --read-only --tmpfs /tmp -e AUDITOR_DATABASE_URL=postgresql://... cache-auditor

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY constraints-build.txt constraints-runtime.txt ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r constraints-build.txt
RUN python -m venv /opt/auditor && /opt/auditor/bin/pip install --require-hashes -r constraints-runtime.txt
COPY pyproject.toml README.md CHANGELOG.md ./
COPY supabase/migrations supabase/migrations
COPY prompts prompts
COPY evals evals
COPY auditor auditor
RUN /opt/build/bin/python -m hatchling build -t wheel -d /build/dist \
    && /opt/auditor/bin/pip install --no-deps --no-index /build/dist/*.whl \
    && /opt/auditor/bin/python -m compileall -q /opt/auditor/lib

FROM python:3.12-slim
COPY --from=build /opt/auditor /opt/auditor
ENV PATH=/opt/auditor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json \
    AUDITOR_HEARTBEAT_FILE=/tmp/auditor-heartbeat
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "auditor.service.health"]
ENTRYPOINT ["auditor"]
CMD ["run"]
