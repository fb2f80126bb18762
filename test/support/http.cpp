// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/http.hpp"

#include "support/traffic.hpp"

#include <csignal>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <thread>

namespace sallyport::test {

std::string nginx_temp_paths(const std::filesystem::path& directory)
{
    std::string paths;
    for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
        paths += std::string("    ") + what + "_temp_path " + (directory / what).string() + ";\n";
    return paths;
}

namespace {

std::filesystem::path write_config(const Node& node, const Pod& pod)
{
    const std::filesystem::path directory = node.directory() / ("nginx-of-" + pod.netns.name());
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "nginx.conf") << "user root;\n"
                                               "daemon off;\n"
                                               "worker_processes 1;\n"
                                               "pid "
                                            << (directory / "pid").string()
                                            << ";\n"
                                               "events { worker_connections 4096; }\n"
                                               "http {\n"
                                               "    access_log off;\n"
                                            << nginx_temp_paths(directory)
                                            << "    keepalive_requests 1000000;\n"
                                               "    keepalive_time 500ms;\n"
                                               "    server {\n"
                                               "        listen [::]:9080 ipv6only=off backlog=1024;\n"
                                               "        location / {\n"  // keepalive_time counts in locations only
                                               "            return 200 \""
                                            << pod.spec().name
                                            << "\\n\";\n"
                                               "        }\n"
                                               "    }\n"
                                               "}\n";
    return directory;
}

Invocation nginx(const std::filesystem::path& directory, const Pod& pod)
{
    return {.argv = {"nginx", "-e", (directory / "error.log").string(), "-c", (directory / "nginx.conf").string()},
            .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
            .netns = &pod.netns};
}

}  // namespace

Nginx::Nginx(const Node& node, const Pod& pod) : directory_(write_config(node, pod)), process_(nginx(directory_, pod))
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (ask_tcp(pod.netns, {"::1", 9080}) == "refused") {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("nginx doesn't listen");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

void Nginx::test_configuration(const Node& node, const Pod& pod)
{
    Invocation test = nginx(write_config(node, pod), pod);
    test.argv.emplace_back("-t");
    must_execute(std::move(test));
}

void Nginx::drain(std::chrono::milliseconds pre_stop)
{
    std::this_thread::sleep_for(pre_stop);
    process_.signal(SIGQUIT);
    const Output output = process_.wait();
    if (output.status != 0)
        throw std::runtime_error("nginx ended with " + std::to_string(output.status) + ": " + output.err);
}

namespace {

Invocation wrk(const Namespace& client, const Target& target, Reuse reuse)
{
    std::vector<std::string> argv{"wrk", "-t", "1", "-c", "16", "-d", "600s", "--timeout", "5s"};
    if (reuse == Reuse::connection_per_request)
        argv.insert(argv.end(), {"-H", "Connection: close"});
    argv.push_back("http://" + target.to_string() + "/");
    return {.argv = std::move(argv), .environment = {"PATH=/usr/bin:/bin"}, .netns = &client};
}

}  // namespace

Load::Load(const Namespace& client, const Target& target, Reuse reuse) : process_(wrk(client, target, reuse)) {}

LoadReport Load::stop()
{
    process_.signal(SIGINT);  // it ends its run, and reports
    const Output output = process_.wait();
    LoadReport report;
    report.text = output.out + output.err;
    std::smatch found;
    if (std::regex_search(output.out, found, std::regex("(\\d+) requests in")))
        report.requests = std::stoul(found[1]);
    for (const char* failure : {"Socket errors:[^\n]*", "Non-2xx[^\n]*"})
        if (std::regex_search(output.out, found, std::regex(failure)))
            report.failures += found[0].str() + '\n';
    return report;
}

}  // namespace sallyport::test
