# Two stages: the first installs into /opt/venv, the second has that folder and no tools to change it.
# The image runs as a number, needs no write but to /tmp, and holds only what requirements.lock hashes.

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/venv

# The locked packages change seldom: a layer of their own.
COPY requirements.lock ./
RUN pip --python /opt/venv/bin/python install --require-hashes --only-binary :all: -r requirements.lock

# So is what builds our wheel locked, outside of what is shipped.
COPY deploy/build.lock ./
RUN pip install --require-hashes --only-binary :all: -r build.lock

COPY pyproject.toml README.md LICENSE ./
COPY service ./service
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl

# What is in it, as CycloneDX: /opt/venv/share/lossmeter/sbom.cdx.json.
COPY deploy/sbom.py deploy/
RUN mkdir -p /opt/venv/share/lossmeter \
 && python deploy/sbom.py requirements.lock >/opt/venv/share/lossmeter/sbom.cdx.json

# Not in it: tests, headers, stubs, and symbols for debuggers, a third of the whole.
COPY deploy/slim.py deploy/
RUN python deploy/slim.py /opt/venv

# The base has no byte code of Python's own library, which every start would compile anew: half of its time.
RUN /opt/venv/bin/python -c 'import lossmeter.api.app, lossmeter.cli.healthcheck, lossmeter.cli.serve' \
 && mkdir /opt/compiled \
 && find /usr/local/lib -path '*/site-packages' -prune -o -name '*.pyc' -exec cp --parents {} /opt/compiled ';'

FROM python:3.12-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lossmeter" \
      org.opencontainers.image.description="Says how wrong a classifier is: losses, gradients and KL divergences" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# LOSSMETER_ALLOW_ANONYMOUS: a container's port reaches nobody until someone publishes it, and whoever does gives keys
# (LOSSMETER_API_KEYS_FILE, see deploy/README.md). With keys the setting means nothing.
# OPENBLAS_NUM_THREADS: the engine has threads of its own; BLAS would start as many again at import.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOSSMETER_ALLOW_ANONYMOUS=true \
    OPENBLAS_NUM_THREADS=1
COPY --from=build /opt/compiled /
COPY --from=build /opt/venv /opt/venv
WORKDIR /tmp
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["lossmeter", "healthcheck"]
ENTRYPOINT ["lossmeter"]
CMD ["serve", "--host", "0.0.0.0"]
