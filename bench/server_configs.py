"""How the servers that luckrig is compared with are set up: as good as they get at this work.

Placeholders are for str.format; braces of the format itself are doubled.
"""

from typing import Final

NGINX: Final = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 10000000;
    upstream engine {{
        server 127.0.0.1:{engine_port};
        keepalive 64;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://engine;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_buffer_size 16k;  # a whole burst in one read, as the others have it
            proxy_buffers 8 16k;
        }}
    }}
}}
"""

HAPROXY: Final = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 300s
    timeout server 300s
frontend clients
    bind 127.0.0.1:{port} backlog 1024
    default_backend engine
backend engine
    server engine 127.0.0.1:{engine_port}
"""

LITELLM_KEY: Final = "sk-bench"
LITELLM: Final = """
model_list:
{models}
general_settings:
    master_key: {key}
litellm_settings:
    telemetry: false
"""
LITELLM_MODEL: Final = """
  - model_name: {model}
    litellm_params:
        model: openai/{model}
        api_base: http://127.0.0.1:{engine_port}/v1
        api_key: none
"""
LITELLM_ENVIRON: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would ask the internet, and wait
    "LITELLM_LOG": "ERROR",
}
LITELLM_LOGGING: Final = {"version": 1, "disable_existing_loggers": False}
"""For uvicorn: no access log. The others write none either."""
