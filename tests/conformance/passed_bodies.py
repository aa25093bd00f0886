"""Requests and answers that pass between two ends of one dialect."""

from __future__ import annotations

__all__ = ["DIALECTS", "JSON", "STREAMS", "WHOLES", "asking"]


# spaces, escapes, the order of keys, large and exact numbers, keys twice: nothing that a parser and an encoder keep
REQUESTS = {
    "openai-chat": b'{ "messages" : [ {"content":"\\u0068i \\u2028 \xe2\x80\xa8 \xf0\x9f\x98\x80","role":"user"} ],\r\n'
    b'\t"model":"m","seed":12345678901234567890123, "temperature":1.0, "top_p":1e-1,"new":{"a":1,"a":2.50}%b}  \n',
    "openai-responses": b'{ "input" : "\\u0068i \xe2\x80\xa8" ,"model":"m","store":false,\r\n"temperature":1.0,'
    b'"max_output_tokens":100, "new":{"a":1,"a":2.50,"big":12345678901234567890123}%b}\n',
    "anthropic": b'{"max_tokens":100 , "model":"m",\r\n "messages":[ {"content":"\\u0068i \xe2\x80\xa8",'
    b'"role":"user"}],'
    b'"temperature":1.0,"new":{"a":1,"a":2.50,"big":12345678901234567890123}%b}\n',
}
STREAMS = {
    "openai-chat": (
        b": PROCESSING\n\n",
        (
            b'data: {"id":"c1", "object":"chat.completion.chunk","created":1,"model":"m",'
            b'"choices":[{"index":0,"delta":{"role":"assistant","content":"h\xc3'
        ),
        b'\xa9 \xe2\x80\x94"},"finish_reason":null}],"usage":null,"extra":1.50}\r\n\r\n: ping\r\n\r\n',
        (
            b'event: x\nid: 7\ndata:{"choices":[{"delta":{"content":"b"},"index":0}],\ndata: "x":1}\n\n'
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        ),
        b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
        b"data: [DO",
        b"NE]\n\n",
        b": bye\n\n",
    ),
    "openai-responses": (
        (
            b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1",'
            b'"object":"response","created_at":1,"status":"in_progress","model":"m","output":[] , "x":1.0}}\n\n: hm\n\n'
        ),
        (
            b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,'
            b'"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress",'
            b'"content":[]}}\r\n\r\n'
        ),
        (
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":2,'
            b'"item_id":"msg_1","output_index":0,"content_index":0,"delta":"h\xc3'
        ),
        b'\xa9","logprobs":[],"obfuscation":"x"}\n\n',
        (
            b'event: response.completed\ndata: {"type":"response.completed","sequence_number":3,"response":{'
            b'"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"id":"msg_1",'
            b'"type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
            b'"text":"h\xc3\xa9","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}\n\n'
        ),
    ),
    "anthropic": (
        (
            b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
            b'"role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,'
            b'"usage":{"input_tokens":3,"output_tokens":1}} , "x":1.0}\n\n'
        ),
        b'event: ping\ndata: {"type": "ping"}\n\n: hm\n\n',
        (
            b'event: content_block_start\r\ndata: {"type":"content_block_start","index":0,'
            b'"content_block":{"type":"thinking","thinking":"","signature":""}}\r\n\r\n'
        ),
        (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"signature_delta","signature":"Eqo="}}\n\n'
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
            b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
            b'"content_block":{"type":"text","text":""}}\n\n'
        ),
        (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
            b'"delta":{"type":"text_delta","text":"h\xc3'
        ),
        (
            b'\xa9"}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
            b'event: new_event\ndata: {"type":"new_event"}\n\n'
        ),
        (
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
            b'"stop_sequence":null},"usage":{"output_tokens":2}}\n\n'
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        ),
    ),
}
WHOLES = {
    "openai-chat": b'{"id":"c1" ,"object":"chat.completion","created":1,"model":"m","choices":[\n{"index":0,'
    b'"message":{"role":"assistant","content":"h\xc3\xa9 \xe2\x80\xa8"},"finish_reason":"stop"},{"index":1,"message":{'
    b'"role":"assistant","content":"other"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,'
    b'"total_tokens":5}, "x":1.0}\n',
    "openai-responses": b'{"id":"resp_1" ,"object":"response","created_at":1,"status":"completed","model":"m",'
    b'"output":[\n'
    b'{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
    b'"text":"h\xc3\xa9","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},'
    b' "x":1.0}\n',
    "anthropic": b'{"id":"msg_1" ,"type":"message","role":"assistant","model":"m","content":[\n{"type":"text",'
    b'"text":"h\xc3\xa9"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2},'
    b'"x":1.0}\n',
}
DIALECTS = list(REQUESTS)
JSON = "application/json"


def asking(dialect: str, *, stream: bool = False) -> bytes:
    """Ask for an answer, and for its tokens where a stream tells them only then."""
    counted = b',"stream_options":{"include_usage":true}' if dialect == "openai-chat" else b""
    return REQUESTS[dialect] % (b', "stream" : true%b' % counted if stream else b', "stream":false')
