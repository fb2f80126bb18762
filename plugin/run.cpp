// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/run.hpp"

#include "sallyport/cli.hpp"
#include "sallyport/commands.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace sallyport {

namespace {

std::string carry_out(const Request& request)
{
    switch (request.command) {
    case Command::add:
        return add(request);
    case Command::del:
        del(request);
        return {};
    case Command::check:
        check(request);
        return {};
    case Command::gc:
        gc(request);
        return {};
    case Command::status:
        return {};
    case Command::version:
        return version(request);
    }
    return {};
}

/// The specification's error object, in the caller's version where one can be read.
std::string error_result(const std::string& config, Code code, const std::string& message)
{
    const std::string version = cni_version_of(config);
    const nlohmann::ordered_json result{{"cniVersion", version.empty() ? std::string(served_versions.back()) : version},
                                        {"code", static_cast<unsigned>(code)},
                                        {"msg", message}};
    // Input is quoted in messages, and may be no valid UTF-8.
    return result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

int run_plugin(const Environment& environment)
{
    Request request;
    std::string result;
    int status = 0;
    try {
        request = parse_request(environment.getenv, environment.in);
        result = carry_out(request);
    } catch (const Error& error) {
        log_error(error.what());
        result = error_result(request.config, error.code(), error.what());
        status = 1;
    }
    // The only place where the plugin writes to stdout, and it writes once.
    if (!result.empty())
        environment.out << result << '\n' << std::flush;
    return status;
}

}  // namespace

std::string version(const Request& request)
{
    const std::string asked = cni_version_of(request.config);
    return nlohmann::ordered_json{{"cniVersion", asked.empty() ? std::string(served_versions.back()) : asked},
                                  {"supportedVersions", served_versions}}
        .dump();
}

int run(const Environment& environment) noexcept
{
    try {
        const int status = environment.getenv("CNI_COMMAND") ? run_plugin(environment) : run_tool(environment);
        if (environment.out.flush())
            return status;
        environment.err << "sallyport: what is to be said can't be written to stdout\n";
        return status == 0 ? 1 : status;
    } catch (const std::exception& failure) {  // out of memory, or a mistake of ours
        environment.err << "sallyport: " << failure.what() << '\n';
        return 1;
    }
}

}  // namespace sallyport
