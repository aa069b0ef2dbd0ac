ARG BASE_IMAGE=python:3.11-slim-bookworm

# ---- build: a virtual environment that is copied whole -----------------------
FROM ${BASE_IMAGE} AS build

# Where else pip may look, for instance PyTorch's index of CPU-only wheels.
ARG PIP_EXTRA_INDEX_URL=""

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN python -m venv /opt/venv
# the dependencies first: they change less often than the code
COPY requirements.txt /build/
RUN if [ -z "$PIP_EXTRA_INDEX_URL" ]; then unset PIP_EXTRA_INDEX_URL; fi \
 && /opt/venv/bin/pip install --quiet -r /build/requirements.txt
# wordllama, the default encoder, is among these. One that was trained with
# sentence-transformers needs: --build-arg ENCODERS=sentence-transformers
ARG ENCODERS=""
RUN if [ -n "$ENCODERS" ]; then \
      if [ -z "$PIP_EXTRA_INDEX_URL" ]; then unset PIP_EXTRA_INDEX_URL; fi; \
      /opt/venv/bin/pip install --quiet -c /build/requirements.txt "$ENCODERS"; fi
COPY pyproject.toml README.md LICENSE /build/
COPY training /build/training
COPY app /build/app
# its app and training are links to the two above
COPY nextvec /build/nextvec
RUN /opt/venv/bin/pip install --quiet --no-deps /build
# the kernel, for every level of processors: the image itself has no compiler
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/* \
 && /opt/venv/bin/python -m nextvec.app.inference.compiling

# ---- the image: no build tools, no root --------------------------------------
FROM ${BASE_IMAGE}

# One team of OpenMP threads that sleeps when idle; few malloc arenas; no .pyc files
# on a read-only root; fonts and downloads of plots go where it can be written.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    MALLOC_ARENA_MAX=2 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NEXTVEC_HOST=0.0.0.0 \
    NEXTVEC_PORT=8000 \
    NEXTVEC_BUNDLES=/data/bundles

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nextvec \
 && mkdir /data && chown nextvec:nextvec /data
COPY --from=build /opt/venv /opt/venv

USER nextvec
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# ready, not just alive: a service without a sound bundle is unhealthy
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]

CMD ["nextvec", "serve"]
