# The image of every role; what it does is its command: `serve`, `api`, `worker`, `migrate`, `check`.
#     docker build --tag pagerd .
# Debian-slim: confluent-kafka has no wheels for musl. The Python is the one that the tests run on.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/pagerd && python -m venv /build/tools
COPY requirements/build.txt requirements/all.txt requirements/
RUN /opt/pagerd/bin/pip install --require-hashes --only-binary :all: --requirement requirements/all.txt \
    && /build/tools/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY examples/ examples/
COPY src/ src/
RUN /build/tools/bin/python -m hatchling build --target wheel --directory /build/dist \
    && /opt/pagerd/bin/pip install --no-deps --no-index /build/dist/pagerd-*.whl \
    && /opt/pagerd/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
# A number, so that Kubernetes can see that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/pagerd --shell /usr/sbin/nologin pagerd \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/pagerd /var/lib/pagerd/keys
COPY --from=build /opt/pagerd /opt/pagerd
ENV PATH=/opt/pagerd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PAGERD_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/pagerd
VOLUME /var/lib/pagerd
EXPOSE 8400
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8400/healthz', timeout=3)"]
ENTRYPOINT ["pagerd"]
CMD ["serve"]
