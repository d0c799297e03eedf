# metakd with everything that studies need: docker build -t metakd .
#   docker run --rm --shm-size=2g -v "$PWD/results:/study/results" metakd run grid_vs_meta --preset smoke
# The default base has PyTorch's CUDA build from its wheel. For CPUs alone, a fraction of the size:
#   docker build --build-arg TORCH_INDEX=URL -t metakd .     URL: PyTorch's index of CPU wheels
FROM python:3.12-slim

# KubeRay's probes call wget in the container.
RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*

ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then \
      pip install --no-cache-dir --index-url "$TORCH_INDEX" torch torchvision; \
    fi

WORKDIR /metakd
COPY pyproject.toml README.md LICENSE ./
COPY platform platform
COPY dashboards dashboards
COPY studies studies
RUN pip install --no-cache-dir '.[study,hf]' && python -m compileall -q "$(python -c 'import metakd; print(metakd.__path__[0])')"

# Results and downloads lie in what is mounted here.
WORKDIR /study
ENTRYPOINT ["metakd"]
CMD ["--help"]
