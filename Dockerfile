# moodline serve on a CPU: not root, weights inside, no network needed when it runs.
#
#   docker build -t moodline .
#   docker run -p 127.0.0.1:8000:8000 -e MOODLINE_API_KEY=… -v moodline:/state --cpus 2 moodline --workers 2
#
# Options of moodline serve follow the image's name. /state has the jobs; without -v they end with the container.

FROM python:3.11-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY constraints.txt ./
RUN python -m venv /opt/moodline \
    && /opt/moodline/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/moodline/bin/pip install --no-cache-dir -c constraints.txt '.[serve,listen]'

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /state moodline \
    && install --directory --owner moodline --mode 0700 /state
COPY --from=build /opt/moodline /opt/moodline
ENV PATH=/opt/moodline/bin:$PATH \
    XDG_STATE_HOME=/state \
    MOODLINE_CACHE=/state/cache \
    HF_HUB_OFFLINE=1 \
    OMP_NUM_THREADS=1 \
    MALLOC_ARENA_MAX=2
USER 10001
VOLUME /state
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["moodline", "serve", "--host", "0.0.0.0", "--port", "8000"]
