"""LangChain's `create_agent` with memory as middleware, and tools with which the model keeps notes.

python examples/langgraph_agent.py "I am vegetarian; remember that."
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

from agentmem.integrations.langgraph import AgentMemMiddleware
from langchain.agents import create_agent
from langchain.chat_models import init_chat_model

from agentmem import Memory


def build(memory: Memory, model: Any) -> Any:
    """An agent with a long-term memory per user, and threads that stay short."""
    return create_agent(
        model,
        system_prompt="You are a helpful assistant with a long-term memory.",
        middleware=[AgentMemMiddleware(memory, budget_tokens=800, keep_tokens=8_000, tools=True)],
    )


if __name__ == "__main__":
    name = os.environ.get("AGENTMEM_CHAT_MODEL") or sys.exit("set AGENTMEM_CHAT_MODEL: docs/langgraph.md")
    with Memory("sqlite:///agent.db") as opened:
        agent = build(opened, init_chat_model(name))
        run = {"configurable": {"user_id": "me", "thread_id": uuid.uuid4().hex}}
        print(agent.invoke({"messages": [("user", " ".join(sys.argv[1:]))]}, run)["messages"][-1].text)
