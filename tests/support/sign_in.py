"""What Streamlit's secrets say when readers sign in."""

AUTH = """
[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "a-cookie-secret-of-these-tests"
client_id = "tickwell"
client_secret = "a-client-secret-of-these-tests"
server_metadata_url = "https://accounts.example.com/.well-known/openid-configuration"
"""


EMAILS = 'TICKWELL_ALLOWED_EMAILS = "reader@example.com"\n'


TWO_PROVIDERS = """
[auth]
redirect_uri = "https://prices.example.com/oauth2callback"
cookie_secret = "a-cookie-secret-of-these-tests"
[auth.google]
client_id = "tickwell"
client_secret = "a-client-secret-of-these-tests"
server_metadata_url = "https://accounts.example.com/.well-known/openid-configuration"
[auth.microsoft]
client_id = "tickwell"
client_secret = "a-client-secret-of-these-tests"
server_metadata_url = "https://login.example.com/.well-known/openid-configuration"
client_kwargs = { "prompt" = "login" }
"""
