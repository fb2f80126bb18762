// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "gateways/server.hpp"

#include "support/http.hpp"
#include "support/places.hpp"
#include "support/subprocess.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>

namespace sallyport::test {
namespace {

using Path = std::filesystem::path;
using Words = std::vector<std::string>;

void write(const Path& file, const std::string& text)
{
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

/// Its certificate is nobody's that a client would trust.
void write_certificate(const Path& directory)
{
    must_execute(
        {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-days", "30", "-subj", "/CN=gateway.test", "-addext", "subjectAltName=DNS:gateway.test", "-keyout",
                  (directory / "key.pem").string(), "-out", (directory / "certificate.pem").string()}});
}

/// One of programs/, with this answer.
Path program(const Path& directory, const std::string& name, const std::string& answer)
{
    write(directory / "answer", answer);
    const Path file = directory / name;
    std::filesystem::copy_file(program_file(name), file);
    return file;
}

Words nginx(const Path& directory, const std::string& answer)
{
    write(directory / "nginx.conf", "user root;\ndaemon off;\nworker_processes 2;\npid " +
                                        (directory / "pid").string() + ";\nevents {}\nhttp {\naccess_log off;\n" +
                                        nginx_temp_paths(directory) +
                                        "server { listen 9080; location / { return 200 \"" + answer + "\"; } }\n}\n");
    return {"nginx", "-e", (directory / "error.log").string(), "-c", (directory / "nginx.conf").string()};
}

Words haproxy(const Path& directory, const std::string& answer)
{
    write(directory / "haproxy.cfg",
          "global\n hard-stop-after 10s\n"
          "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 1s\n"
          "frontend f\n bind 0.0.0.0:9080\n http-request return status 200 content-type text/plain string \"" +
              answer + "\"\n");
    return {"haproxy", "-W", "-db", "-f", (directory / "haproxy.cfg").string()};
}

Words apache(const Path& directory, const std::string& answer)
{
    write(directory / "www/index.html", answer);
    std::string modules;
    for (const char* module : {"mpm_event", "authz_core", "dir"})
        modules += std::string("LoadModule ") + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n";
    write(directory / "httpd.conf",
          modules + "ServerName gateway\nListen 0.0.0.0:9080\nDirectoryIndex index.html\nPidFile " +
              (directory / "pid").string() + "\nDefaultRuntimeDir " + directory.string() + "\nErrorLog " +
              (directory / "error.log").string() + "\nDocumentRoot " + (directory / "www").string() + "\n");
    return {"apache2", "-D", "FOREGROUND", "-f", (directory / "httpd.conf").string()};
}

Words envoy(const Path& directory, const std::string& answer)
{
    return {"envoy", "-c", program(directory, "envoy.yaml", answer).string(), "--concurrency", "2", "-l", "error"};
}

Words caddy(const Path& directory, const std::string& answer)
{
    write(directory / "Caddyfile",
          "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tgrace_period 10s\n}\n:9080 {\n\trespond \"" +
              answer + "\"\n}\n");
    return {"caddy", "run", "--adapter", "caddyfile", "--config", (directory / "Caddyfile").string()};
}

Words go(const Path& directory, const std::string& answer)
{
    write(directory / "answer", answer);
    return {"go-server", (directory / "answer").string()};
}

Words node(const Path& directory, const std::string& answer)
{
    return {"node", program(directory, "server.js", answer).string()};
}

Words gunicorn(const Path& directory, const std::string& answer)
{
    program(directory, "app.py", answer);
    return {"gunicorn",         "--bind",  "0.0.0.0:9080",     "--workers",          "2",  "--worker-tmp-dir",
            directory.string(), "--chdir", directory.string(), "--graceful-timeout", "10", "app:wsgi"};
}

Words uvicorn(const Path& directory, const std::string& answer)
{
    program(directory, "app.py", answer);
    return {"uvicorn",         "--host",    "0.0.0.0",          "--port",  "9080",
            "--no-access-log", "--app-dir", directory.string(), "app:asgi"};
}

Words uvicorn_workers(const Path& directory, const std::string& answer)
{
    Words words = uvicorn(directory, answer);
    words.insert(words.end(), {"--workers", "2"});
    return words;
}

Words hypercorn(const Path& directory, const std::string& answer)
{
    return {"hypercorn", "--bind", "0.0.0.0:9080", program(directory, "app.py", answer).string() + ":asgi"};
}

Words caddy_quic(const Path& directory, const std::string& answer)
{
    write_certificate(directory);
    write(directory / "Caddyfile", "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n:9080 {\n\trespond \"" +
                                       answer + "\"\n}\nhttps://:9443 {\n\ttls " +
                                       (directory / "certificate.pem").string() + " " +
                                       (directory / "key.pem").string() + "\n\trespond \"" + answer + "\"\n}\n");
    return {"caddy", "run", "--adapter", "caddyfile", "--config", (directory / "Caddyfile").string()};
}

Words aioquic(const Path& directory, const std::string& answer)
{
    write_certificate(directory);
    return {"python", program(directory, "quic_server.py", answer).string()};
}

/// "" where there is none.
std::string fetched()
{
    const char* directory = std::getenv("SALLYPORT_GATEWAYS");
    return directory != nullptr ? directory : "";
}

}  // namespace

bool all_are_asked_for()
{
    return !fetched().empty();
}

std::vector<Server> servers()
{
    std::vector<Server> servers{
        {"nginx, QUIT", SIGQUIT, nginx},
        {"HAProxy -W, USR1", SIGUSR1, haproxy},
        {"gunicorn, TERM", SIGTERM, gunicorn},
        {"uvicorn, TERM", SIGTERM, uvicorn},
    };
    if (all_are_asked_for())
        servers.insert(servers.end(), {
                                          {"uvicorn --workers, TERM", SIGTERM, uvicorn_workers},
                                          {"hypercorn, TERM", SIGTERM, hypercorn},
                                          {"Envoy, TERM", SIGTERM, envoy},
                                          {"Caddy, TERM", SIGTERM, caddy},
                                          {"Go net/http, TERM", SIGTERM, go},
                                          {"Node, TERM", SIGTERM, node},
                                          {"Apache, WINCH", SIGWINCH, apache},
                                      });
    return servers;
}

std::vector<Server> quic_servers()
{
    return {{"Caddy (quic-go)", SIGTERM, caddy_quic}, {"aioquic", SIGTERM, aioquic}};
}

std::filesystem::path program_file(const std::string& name)
{
    return Path(source_directory()) / "test/gateways/programs" / name;
}

std::string servers_path()
{
    const std::string system = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    return all_are_asked_for() ? fetched() + "/bin:" + system : system;
}

}  // namespace sallyport::test
