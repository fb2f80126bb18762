// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/conflist_storm.hpp"

#include "sallyport/chain/conflist.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>

#include <array>
#include <fstream>
#include <optional>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

void write(const fs::path& path, const std::string& text)
{
    std::ofstream(path) << text;
}

void write_and_rename(const fs::path& path, const std::string& text)
{
    const fs::path temporary = path.parent_path() / ("." + path.filename().string() + "8731");
    write(temporary, text);
    fs::rename(temporary, path);
}

/// In one read(2), as a second one might already be about another content.
std::optional<std::string> text_in(const fs::path& path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 65536> buffer{};
    const ssize_t size = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    return size < 0 ? std::nullopt : std::optional(std::string(buffer.data(), static_cast<std::size_t>(size)));
}

/// -1 for what isn't a whole list of ListWriter's, with or without more plugins.
int number_of(const std::string& text)
{
    const auto root = nlohmann::json::parse(text, nullptr, false);
    if (!root.is_object() || !root.contains("plugins") || !root["plugins"].is_array() || root["plugins"].empty())
        return -1;
    return root["plugins"][0].value("number", -1);
}

}  // namespace

std::string ListWriter::list(int number)
{
    return R"(
{
  "cniVersion": ")" +
           std::string(number % 2 == 0 ? "0.3.1" : "1.0.0") +  // as of an older Cilium, and of one of today
           R"(",
  "name": "cilium",
  "plugins": [
    {
       "type": "cilium-cni",
       "number": )" +
           std::to_string(number) + R"(,
       "enable-debug": false,
       "log-file": "/var/run/cilium/cilium-cni.log"
    }
  ]
})";
}

void ListWriter::pause(int most_ms)
{
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution(0, most_ms)(dice_)));
}

void ListWriter::write_whole()
{
    write_and_rename(file(), list(++next_));
    last_ = next_;
}

void ListWriter::write_in_pieces()
{
    const std::string text = list(++next_);
    const UniqueFd fd(::open(file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    for (std::size_t at = 0; at < text.size(); at += 60) {
        const std::string piece = text.substr(at, 60);
        if (::write(fd.get(), piece.data(), piece.size()) != static_cast<ssize_t>(piece.size()))
            return;
        pause(3);
    }
    last_ = next_;
}

void ListWriter::set_aside()
{
    std::error_code ignored;
    fs::rename(file(), file().string() + ".cilium_bak", ignored);
    pause(10);
    write_whole();
}

void ListWriter::delete_and_write()
{
    std::error_code ignored;
    fs::remove(file(), ignored);
    pause(10);
    write_whole();
}

void ListWriter::change_something()
{
    switch (std::uniform_int_distribution(0, 5)(dice_)) {
    case 0:
        return write_in_pieces();
    case 1:
        return set_aside();
    case 2:
        return delete_and_write();
    case 3:
        write(directory_ / "87-podman.conflist", "{");
        fs::remove(directory_ / "87-podman.conflist");
        return;
    default:
        return write_whole();
    }
}

void ListWriter::storm(std::chrono::milliseconds time)
{
    std::exponential_distribution<double> gap(20);  // per second
    const auto end = std::chrono::steady_clock::now() + time;
    auto next = std::chrono::steady_clock::now();
    while (next < end) {
        std::this_thread::sleep_until(next);
        change_something();
        next += std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(gap(dice_)));
    }
    write_whole();
}

ListReader::ListReader(const ListWriter& writer, fs::path directory, std::string entry)
    : writer_(writer),
      directory_(std::move(directory)),
      entry_(std::move(entry)),
      thread_([this] {
          while (!stopped_) {
              read();
              std::this_thread::sleep_for(500us);
          }
      })
{}

ListReader::~ListReader()
{
    stop();
}

void ListReader::stop()
{
    stopped_ = true;
    if (thread_.joinable())
        thread_.join();
}

bool ListReader::in_place() const
{
    const auto text = text_in(writer_.file());
    return text && *text == with_entry(ListWriter::list(writer_.last()), entry_);
}

void ListReader::read()
{
    for (const auto& entry : fs::directory_iterator(directory_)) {
        const std::string name = entry.path().filename().string();
        if (name.find("sallyport") != std::string::npos && !name.ends_with(".tmp"))
            complaints_.push_back("a file of ours that a runtime may read: " + name);
    }
    const int written = writer_.last();
    if (const auto text = text_in(writer_.file()))
        judge(*text, written);
    readings_++;
}

/// `written` had been written whole before the text was read.
void ListReader::judge(const std::string& text, int written)
{
    const int number = number_of(text);
    if (number < 0) {  // the writer's own half
        if (text.find("sallyport") != std::string::npos)
            complaints_.push_back("invalid, and ours: " + text);
        return;
    }
    if (text != ListWriter::list(number) && text != with_entry(ListWriter::list(number), entry_))
        complaints_.push_back("changed beyond our entry: " + text);
    if (number >= written)
        return;
    // Where the writer and we are at it in the same instant, its newer list may be away for as long as two renames
    // take.
    std::this_thread::sleep_for(20ms);
    const auto later = text_in(writer_.file());
    const int number_later = later ? number_of(*later) : -1;
    if (number_later >= 0 && number_later < written)
        complaints_.push_back("number " + std::to_string(number_later) + " stands there, after " +
                              std::to_string(written) + " was written");
}

ExclusiveOwner::ExclusiveOwner(fs::path directory)
    : directory_(std::move(directory)),
      thread_([this] {
          const UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
          ::inotify_add_watch(watch.get(), directory_.c_str(),
                              IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE));
          reconcile();
          std::array<char, 16384> events{};
          while (!stopped_) {
              pollfd poll_fd{.fd = watch.get(), .events = POLLIN, .revents = 0};
              if (::poll(&poll_fd, 1, 20) == 1 && ::read(watch.get(), events.data(), events.size()) > 0)
                  reconcile();
          }
      })
{}

ExclusiveOwner::~ExclusiveOwner()
{
    stopped_ = true;
    thread_.join();
}

void ExclusiveOwner::reconcile()
{
    const fs::path own = directory_ / "05-cilium.conflist";
    const std::string wanted = ListWriter::list(0);
    if (text_in(own) != wanted) {
        write_and_rename(own, wanted);
        reactions_++;
    }
    std::vector<fs::path> others;
    for (const auto& entry : fs::directory_iterator(directory_))
        if (!entry.is_directory() && entry.path() != own &&
            (entry.path().extension() == ".conf" || entry.path().extension() == ".conflist" ||
             entry.path().extension() == ".json"))
            others.push_back(entry.path());
    std::error_code ignored;
    for (const fs::path& other : others)
        fs::rename(other, other.string() + ".cilium_bak", ignored);
}

}  // namespace sallyport::test
