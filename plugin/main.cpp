// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/run.hpp"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv)
{
    const auto getenv = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    return sallyport::run(
        {{argv + 1, argv + argc}, getenv, std::cin, std::cout, std::cerr, isatty(STDOUT_FILENO) == 1});
}
