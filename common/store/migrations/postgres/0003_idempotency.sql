-- What was asked for with the key: a hash of the route and of the content. A key stands for one request.
ALTER TABLE idempotency_keys ADD COLUMN request uuid;
