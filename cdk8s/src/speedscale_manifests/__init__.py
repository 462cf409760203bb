"""The installation as code: values in, manifests for Argo CD, Flux, kubectl and Helm out."""
