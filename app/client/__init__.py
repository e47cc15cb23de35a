"""How does a Python program use the service? Data frames in, a job that is followed, data frames out.

Client ── upload ── train ── Job.wait ── forecast
   └───── session ── observe, forecast
"""

from app.client.calls import ClientError, JobFailedError, RefusedError, UnreachableError
from app.client.client import Client
from app.client.jobs import Job
from app.client.sessions import Session

__all__ = ["Client", "ClientError", "Job", "JobFailedError", "RefusedError", "Session", "UnreachableError"]
