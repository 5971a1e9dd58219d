# The operator's image, in two stages: build a wheel and its locked requirements, then only what runs.
# The base is an argument, so that a registry mirror and a digest can be given:
#   docker build --build-arg PYTHON=python:3.13-slim@sha256:… -t modelarts-nodepool-operator:dev .
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS build
WORKDIR /source
COPY requirements/run.txt requirements/
RUN python -m venv /opt/operator \
 && /opt/operator/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# The lab (simulator, control plane, demo) has no place beside production credentials.
RUN rm -rf operator/modelarts_nodepool/lab \
 && python -m venv /opt/builder \
 && /opt/builder/bin/pip install --no-cache-dir hatchling==1.33.0 \
 && /opt/builder/bin/python -m hatchling build -t wheel -d /wheels \
 && /opt/operator/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM ${PYTHON}
LABEL org.opencontainers.image.title="modelarts-nodepool-operator" \
      org.opencontainers.image.description="Deletes ModelArts node pools safely and mirrors their node counts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/operator /opt/operator
# A number, so that runAsNonRoot can be checked; it owns nothing and needs no file to be writable.
USER 65532:65532
ENV PATH=/opt/operator/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8080
ENTRYPOINT ["modelarts-nodepool"]
CMD ["run"]
