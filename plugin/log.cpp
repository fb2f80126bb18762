// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <utility>

namespace sallyport {

namespace {

/// spdlog's own default logger writes to stdout; ours is the only one that is ever used. Atomic, as the agent changes
/// it when its configuration asks for another level, while its other threads use it.
std::atomic<std::shared_ptr<spdlog::logger>>& logger()
{
    static std::atomic<std::shared_ptr<spdlog::logger>> instance;
    return instance;
}

void use(spdlog::sink_ptr sink, const std::string& level)
{
    auto made = std::make_shared<spdlog::logger>("sallyport", std::move(sink));
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %P %l %v");
    made->set_level(spdlog::level::from_str(level));
    made->set_error_handler([](const std::string&) {});  // the default one writes to stderr on every failure
    logger() = std::move(made);
}

void log(spdlog::level::level_enum level, const std::string& message) noexcept
{
    if (const auto current = logger().load())
        current->log(level, message);
}

}  // namespace

void log_to(const LogSettings& settings) noexcept
{
    try {
        use(std::make_shared<spdlog::sinks::basic_file_sink_st>(settings.file.string()), settings.level);
    } catch (const std::exception&) {
        logger() = std::shared_ptr<spdlog::logger>();
    }
}

void log_to_stderr(const std::string& level) noexcept
{
    try {
        use(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level);
    } catch (const std::exception&) {
        logger() = std::shared_ptr<spdlog::logger>();
    }
}

void log_debug(const std::string& message) noexcept
{
    log(spdlog::level::debug, message);
}

void log_info(const std::string& message) noexcept
{
    log(spdlog::level::info, message);
}

void log_warning(const std::string& message) noexcept
{
    log(spdlog::level::warn, message);
}

void log_error(const std::string& message) noexcept
{
    log(spdlog::level::err, message);
}

}  // namespace sallyport
