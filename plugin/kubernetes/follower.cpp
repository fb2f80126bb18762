// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "follower.hpp"

#include "target.hpp"

#include "sallyport/error.hpp"

#include <algorithm>
#include <utility>

namespace sallyport::kubernetes {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Of pods in a page. A server that lists from its cache sends all at once, whatever is asked.
constexpr unsigned page_size = 500;

/// A watch lasts so long, and up to twice as long: as those of Kubernetes' own clients, so that the server sees no
/// herd.
constexpr seconds shortest_watch{300};

/// What ends sooner, and without an event, has failed: or a server that ends every watch at once would be asked for
/// ever.
constexpr seconds watched_in_vain{5};

constexpr unsigned unauthorized = 401;
constexpr unsigned forbidden = 403;
constexpr unsigned gone = 410;

std::string what_to_do(unsigned status)
{
    if (status == unauthorized)
        return "; it doesn't take the token of our service account: is that account still there?";
    if (status == forbidden)
        return "; give our service account a ClusterRole with the verbs list and watch on pods";
    return {};
}

std::string in_words(const Status& status)
{
    return "the API server answers " + std::to_string(status.code) +
           (status.message.empty() ? "" : " (" + in_quotes(status.message) + ")") + what_to_do(status.code);
}

}  // namespace

Follower::Follower(const std::string& node, std::uint32_t seed)
    : selector_("/api/v1/pods?fieldSelector=" + percent_encoded("spec.nodeName=" + node)),
      dice_(seed)
{}

Follower::Step Follower::next(Instant now)
{
    if (now < not_before_)
        return Wait{not_before_};
    if (listing_) {
        std::string target = selector_ + "&limit=" + std::to_string(page_size);
        if (!continue_.empty())
            target += "&continue=" + percent_encoded(continue_);
        else if (!list_version_.empty())
            target += "&resourceVersion=" + percent_encoded(list_version_);
        return List{target};
    }
    const seconds lasts(
        std::uniform_int_distribution<seconds::rep>(shortest_watch.count(), 2 * shortest_watch.count())(dice_));
    return Watch{selector_ + "&watch=true&allowWatchBookmarks=true&resourceVersion=" + percent_encoded(version_) +
                     "&timeoutSeconds=" + std::to_string(lasts.count()),
                 lasts};
}

void Follower::listed(ListPage page, Instant now)
{
    for (PodWord& pod : page.pods)
        listed_.insert_or_assign(pod.uid, std::move(pod));
    if (listed_.size() > max_pods)
        return lose("the API server lists more pods than a node can have", now, milliseconds(0));
    continue_ = std::move(page.next);
    if (!continue_.empty())
        return;
    pods_ = std::exchange(listed_, {});
    version_ = std::move(page.version);
    listing_ = false;
    complete_ = true;
}

void Follower::watching(Instant now)
{
    watching_since_ = now;
    lost_since_.reset();
    problem_.clear();
}

bool Follower::happened(WatchEvent event, Instant now)
{
    using Kind = WatchEvent::Kind;
    if (event.kind == Kind::error) {
        refused({event.status, seconds(0)}, now);
        return false;
    }
    failures_ = 0;
    version_ = std::move(event.version);
    if (event.kind == Kind::deleted)
        pods_.erase(event.pod.uid);
    else if (event.kind != Kind::bookmark && (pods_.size() < max_pods || pods_.contains(event.pod.uid)))
        pods_.insert_or_assign(event.pod.uid, std::move(event.pod));
    return true;
}

void Follower::ended(Instant now)
{
    if (!watching_since_ || now - *watching_since_ < watched_in_vain)
        return lose("the API server ends our watches at once", now, milliseconds(0));
    failures_ = 0;
    watching_since_.reset();
}

void Follower::refused(const Refusal& refusal, Instant now)
{
    if (refusal.status.code == gone)
        return forgotten(in_words(refusal.status), now);
    lose(in_words(refusal.status), now, std::min(refusal.retry_after, longest_retry_after));
}

void Follower::failed(const std::string& why, Instant now)
{
    lose(why, now, milliseconds(0));
}

/// It doesn't know any more what happened since our version, or the rest of a list that was begun. What is so now must
/// not come from a cache that is older still.
void Follower::forgotten(const std::string& why, Instant now)
{
    const bool at_once = failures_ == 0;
    lose(why, now, milliseconds(0));
    list_anew("");
    if (at_once)
        not_before_ = now;
}

void Follower::list_anew(const std::string& version)
{
    listing_ = true;
    list_version_ = version;
    continue_.clear();
    listed_.clear();
}

/// Asks again, but not at once, and later each time. A list begins anew; a watch goes on where it was.
void Follower::lose(const std::string& why, Instant now, milliseconds at_least)
{
    problem_ = why;
    watching_since_.reset();
    if (!lost_since_)
        lost_since_ = now;
    if (listing_)
        list_anew(list_version_);
    const milliseconds longest = std::min(longest_wait, shortest_wait * 2 * (1U << std::min(failures_, 10U)));
    std::uniform_int_distribution<milliseconds::rep> jitter(longest.count() / 2, longest.count());
    not_before_ = now + std::max(at_least, milliseconds(jitter(dice_)));
    failures_++;
}

}  // namespace sallyport::kubernetes
