"""An AWS Lambda function whose events have left when it returns: the handler is `lambda_function.handler`.

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
UPLOAD_INTERVAL is in seconds.
"""

import os
from typing import Any

import antinode

antinode.init(
    server_url=os.environ.get("ANTINODE_SERVER_URL"),
    upload_interval_in_sec=int(os.environ.get("UPLOAD_INTERVAL", "0")),
)


@antinode.flushing(timeout=2)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    with antinode.context(user_id=event["user"], event_properties={"request": context.aws_request_id}):
        antinode.log_event({"event_type": "Invoice Sent"})
        if event.get("fails"):
            raise RuntimeError("the invoice has no address")
    return {"statusCode": 200}
