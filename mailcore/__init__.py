"""What is true about mail and tenants, whoever asks. Never imports hostmail."""
