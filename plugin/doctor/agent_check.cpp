// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent: is there one, and what does it say of itself?
#include "findings.hpp"
#include "gather.hpp"

#include "sallyport/node/succession.hpp"
#include "sallyport/web.hpp"

#include <chrono>
#include <sstream>

namespace sallyport {

namespace {

constexpr std::chrono::seconds agent_patience{3};  ///< it answers in milliseconds

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

}  // namespace

AgentFacts gather_agent(const std::filesystem::path& state_dir)
{
    const FoundAgents found = find_agents(state_dir);
    AgentFacts agent{.runs = found.any, .died = found.died && !found.any, .listen = found.listen, .problem = {}};
    if (agent.listen.empty())
        return agent;
    const WebAnswer health = ask_web(agent.listen, "/healthz", agent_patience);
    agent.alive = health.status == 200;
    agent.problem = health.problem;
    if (!agent.alive)
        return agent;
    const WebAnswer readiness = ask_web(agent.listen, "/readyz", agent_patience);
    agent.ready = readiness.status == 200;
    agent.problem = readiness.problem;
    agent.not_ready = readiness.body;
    if (agent.ready)
        agent.not_ready.erase(0, agent.not_ready.find('\n') + 1);  // "ok"
    return agent;
}

std::vector<Finding> check_agent(const AgentFacts& agent)
{
    Findings findings("node");
    const std::string where = "its HTTP at " + agent.listen;
    if (agent.died)
        findings.warning(
            "agent",
            "the agent was killed, or crashed, and none runs: nobody keeps sallyport in the chain, follows "
            "devices and addresses, or serves metrics",
            "look at it and at its log (`kubectl -n sallyport-system get pods -o wide`); what traffic "
            "needs goes on without it");
    else if (!agent.runs)
        findings.note("agent",
                      "no agent runs: nobody keeps sallyport in the chain, follows devices and addresses, or serves "
                      "metrics",
                      "apply the DaemonSet (conf/), or run `sallyport agent`");
    else if (agent.listen.empty())
        findings.note("agent", "an agent runs, and serves no HTTP to ask it how it is",
                      "unless it was told so (--listen off), its log says why");
    else if (!agent.problem.empty())
        findings.warning("agent", "an agent runs, and doesn't answer over " + where + ": " + agent.problem,
                         "its log says more; a filter on this node may be in the way");
    else if (!agent.alive)
        findings.failure("agent", "the agent hangs, as it says over " + where,
                         "send its log with a bug report, and end it: the next one goes on");
    else if (!agent.ready)
        findings.warning("agent",
                         "the agent isn't ready, as it says over " + where + ": " + joined(lines_of(agent.not_ready)),
                         "each reason says what to do");
    else if (!agent.not_ready.empty())
        findings.note("agent",
                      "the agent runs and is ready, and says over " + where + ": " + joined(lines_of(agent.not_ready)),
                      "each remark says what to do; traffic goes on");
    else
        findings.fine("agent", "the agent runs and is ready, as it says over " + where);
    return findings.take();
}

}  // namespace sallyport
