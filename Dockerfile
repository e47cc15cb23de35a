# One image for the API, the worker and the migrations; the command decides.
#
#   docker build --target cpu  --tag braidcast:cpu  .
#   docker build --target cuda --tag braidcast:cuda .     (run with --gpus all)

ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/braidcast
WORKDIR /src

# The heaviest part first and alone, so that a change of our code does not bring it again.
FROM build AS build-cpu
RUN /opt/braidcast/bin/pip install --index-url https://download.pytorch.org/whl/cpu "torch>=2.9,<2.14"
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY worker ./worker
COPY migrations ./migrations
RUN /opt/braidcast/bin/pip install .

FROM build AS build-cuda
RUN /opt/braidcast/bin/pip install "torch>=2.9,<2.14"
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY worker ./worker
COPY migrations ./migrations
RUN /opt/braidcast/bin/pip install .

FROM python:${PYTHON_VERSION}-slim-trixie AS runtime
# Everything that is written lies under /var/lib/braidcast and /tmp: the rest may be mounted read-only.
ENV PATH=/opt/braidcast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    BRAIDCAST_HOME=/var/lib/braidcast
RUN groupadd --system --gid 10001 braidcast \
    && useradd --system --uid 10001 --gid braidcast --no-create-home --home-dir /tmp --shell /usr/sbin/nologin braidcast \
    && install --directory --owner=braidcast --group=braidcast /var/lib/braidcast
WORKDIR /var/lib/braidcast
VOLUME /var/lib/braidcast
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["uvicorn", "--factory", "app.main:create_app", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "10"]

FROM runtime AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/braidcast /opt/braidcast

FROM runtime AS cpu
COPY --from=build-cpu /opt/braidcast /opt/braidcast
