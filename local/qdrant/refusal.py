"""Everything that a call can be refused for, with the status code that a real server gives."""

import re

import grpc
from google.protobuf.unknown_fields import UnknownFieldSet


class Refusal(Exception):
    """Ends a call with a status code and a message for the caller."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class MissingPoint(Refusal):
    """A point that the call names is not there."""

    def __init__(self, point_id):
        super().__init__(grpc.StatusCode.NOT_FOUND, f"Not found: No point with id {point_id} found")


def wrong_input(message):
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {message}")


def bad_request(message):
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"Bad request: {message}")


def already_exists(message):
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Wrong input: {message}")


def not_found(message):
    return Refusal(grpc.StatusCode.NOT_FOUND, f"Not found: {message}")


def no_such_collection(name):
    return not_found(f"Collection `{name}` doesn't exist!")


def unsupported(what):
    return Refusal(
        grpc.StatusCode.UNIMPLEMENTED, f"{what} is not supported by the development server"
    )


def admit(message, supported):
    """Refuses every option of `message` that is set and not among the names in `supported`.

    Naming what is supported, instead of what is not, also catches the options of clients to come.
    """
    kind = message.DESCRIPTOR.name
    for field, _ in message.ListFields():
        if field.name not in supported:
            raise unsupported(f"{kind}.{field.name}")
    for unknown in UnknownFieldSet(message):
        raise unsupported(f"{kind}'s field number {unknown.field_number}")


# The engine raises one class of exception for everything: only the text tells who is at fault.
_NOT_FOUND = re.compile(r"no point with id|does not have vector", re.IGNORECASE)
_OWN_FAULT = re.compile(
    r"service (runtime )?error|i/o|out of memory|inconsistent|file not found|\bwal\b|no space left",
    re.IGNORECASE,
)


def of_engine(error):
    """The refusal for whatever the engine, or the conversion into its types, has raised."""
    text = str(error)
    if isinstance(error, (TypeError, ValueError, OverflowError)):
        return wrong_input(text)
    # A panic of the engine is a BaseException that is no Exception.
    if not isinstance(error, Exception) or isinstance(error, (MemoryError, OSError)):
        return Refusal(grpc.StatusCode.INTERNAL, f"Service internal error: {text}")
    if type(error) is not Exception:
        return Refusal(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {text}")
    if _NOT_FOUND.search(text):
        return not_found(text)
    if _OWN_FAULT.search(text):
        return Refusal(grpc.StatusCode.INTERNAL, text)
    return wrong_input(text)
