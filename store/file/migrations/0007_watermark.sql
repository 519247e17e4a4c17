CREATE TABLE watermark (
    complete_to TIMESTAMP
);
