# The gateway in a container, as a user without rights.
#
#   docker build -t gateway .
#   docker run -d -p 8045:8045 -v gateway-data:/app/data --env-file .env gateway
#
# It listens on every address, so it needs a key: API_KEYS or GATEWAY_AUTH__KEYS in .env, or a gateway.toml at
# /app/gateway.toml. Everything that it writes is below /app/data; the rest may be read-only.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG EXTRAS=redis,postgres,otel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY middleware middleware
COPY adapters adapters
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist . \
    && python -m venv /opt/gateway \
    && /opt/gateway/bin/pip install --no-cache-dir "$(echo /dist/*.whl)[${EXTRAS}]"

FROM python:${PYTHON}-slim
# 1000 is the first user of most machines, whose folders can then be mounted as they are
RUN useradd --uid 1000 --user-group --home-dir /app --no-create-home gateway \
    && install --directory --owner gateway --group gateway --mode 0755 /app \
    && install --directory --owner gateway --group gateway --mode 0700 /app/data
COPY --from=build /opt/gateway /opt/gateway
COPY deploy/health.py /opt/gateway/health.py
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0
WORKDIR /app
VOLUME ["/app/data"]
USER 1000:1000
EXPOSE 8045
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "/opt/gateway/health.py"]
ENTRYPOINT ["gateway"]
CMD ["run"]
