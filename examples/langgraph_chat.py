"""A chat agent that remembers across restarts. Run it twice:

    python examples/langgraph_chat.py "My cat is called Mittens."
    python examples/langgraph_chat.py "What is my cat called?"

Uses the chat model named in AGENTMEM_CHAT_MODEL (`provider:name`, as for LangChain's `init_chat_model`).
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

from agentmem.integrations.langgraph import MemoryState, recall_node, remember_node, with_memory
from langchain.chat_models import init_chat_model
from langgraph.graph import START, StateGraph

from agentmem import Memory


def answer(text: str, model: Any, place: str = "sqlite:///chat.db", user: str = "me") -> str:
    """One turn in a thread of its own: all that is known of earlier ones comes from memory."""
    with Memory(place) as memory:

        def call(state: MemoryState) -> dict[str, Any]:
            return {"messages": [model.invoke(with_memory(state["messages"], state["memory"]))]}

        builder = StateGraph(MemoryState)
        builder.add_node("recall", recall_node(memory))
        builder.add_node("model", call)
        builder.add_node("remember", remember_node(memory))
        builder.add_edge(START, "recall").add_edge("recall", "model").add_edge("model", "remember")
        run = {"configurable": {"user_id": user, "thread_id": uuid.uuid4().hex}}
        return str(builder.compile().invoke({"messages": [("user", text)]}, run)["messages"][-1].text)


if __name__ == "__main__":
    name = os.environ.get("AGENTMEM_CHAT_MODEL") or sys.exit("set AGENTMEM_CHAT_MODEL: docs/langgraph.md")
    print(answer(" ".join(sys.argv[1:]), init_chat_model(name)))
