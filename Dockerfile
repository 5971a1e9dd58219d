# The operator's image, in two stages: one installs the locked wheels and the operator's wheel, one copies the result.
# The base is an argument for mirrors and digests; a release names a digest:
#   make image PYTHON_IMAGE=python:3.13-slim@sha256:…
# docs/image.md: contents, package mirrors and private authorities, SBOM, tests.
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# The lock has hashes and is complete: pip resolves nothing.
# Both secrets are optional. They configure pip's downloads, and never reach a layer.
COPY requirements/run.txt requirements/build.txt requirements/
RUN --mount=type=secret,id=pip-conf --mount=type=secret,id=pip-ca \
    if [ -s /run/secrets/pip-conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip-conf; fi \
 && if [ -s /run/secrets/pip-ca ]; then export PIP_CERT=/run/secrets/pip-ca; fi \
 && python -m venv --without-pip /opt/operator \
 && python -m pip --python /opt/operator/bin/python install --no-deps --require-hashes -r requirements/run.txt \
 && python -m venv --without-pip /opt/builder \
 && python -m pip --python /opt/builder/bin/python install --no-deps --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/builder/bin/python -m hatchling build -t wheel -d /wheels \
 && python -m pip --python /opt/operator/bin/python install --no-deps /wheels/*.whl

FROM ${PYTHON}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="modelarts-nodepool-operator" \
      org.opencontainers.image.description="Deletes ModelArts node pools safely and shows their node counts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/operator /opt/operator
# A number, so Kubernetes can check runAsNonRoot; the user owns no file and needs no writable file.
USER 65532:65532
ENV PATH=/opt/operator/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8080
# No shell: the kernel starts Python from the script's first line, so signals reach Python.
ENTRYPOINT ["modelarts-nodepool"]
CMD ["run"]
