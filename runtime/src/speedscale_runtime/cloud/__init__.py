"""The client of the backend's API: connections, credentials, errors; used by every component that talks to it."""
