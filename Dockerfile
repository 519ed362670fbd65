# The gateway as an image: docker build -t dragoman .
#
# Everything is installed by the hashes of uv.lock in a first stage; the image itself gets the
# finished environment and nothing that could build another.

# 3.11 to 3.14. The official images are compiled with profile-guided and link-time optimisation.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/dragoman \
    UV_PYTHON=python3 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
RUN python3 -m venv /build/tools \
    && /build/tools/bin/python -m pip install --no-cache-dir --quiet --disable-pip-version-check "uv==${UV_VERSION}"
# The dependencies are a layer of their own: a change of our code does not fetch them again.
COPY pyproject.toml uv.lock ./
RUN /build/tools/bin/uv sync --quiet --frozen --no-dev --no-install-project
COPY README.md LICENSE ./
COPY src ./src
# Not editable: our own code becomes a wheel and is installed from it.
RUN /build/tools/bin/uv sync --quiet --frozen --no-dev --no-editable \
    && mkdir /data

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="Dragoman" \
      org.opencontainers.image.description="An LLM gateway: OpenAI clients on GigaChat and every OpenAI-compatible server" \
      org.opencontainers.image.licenses="MIT"
# HOME, because the user below has a number and no entry in /etc/passwd.
ENV DRAGOMAN_CONTAINER=1 \
    HOME=/data \
    PATH=/opt/dragoman/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/dragoman /opt/dragoman
# dragoman.toml and .env are looked for here; the only folder that the gateway may write to.
COPY --from=build --chown=10001:10001 /data /data
WORKDIR /data
USER 10001:10001
EXPOSE 8090
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 CMD ["dragoman", "health"]
# The first word after the image's name is a command: docker run dragoman demo
ENTRYPOINT ["dragoman"]
CMD ["serve"]
