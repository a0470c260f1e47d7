"""Whether a consent permits anything at all: asked before a voice is taken in, whatever it is going to say."""

from __future__ import annotations

from manifests.errors import ConsentRefused, DubError
from voiceclone.grant import Grant
from voiceclone.registry import Registry


def permitted(
    registry: Registry,
    consent: str,
    person: str,
    *,
    language: str | None = None,
    course: str | None = None,
    purpose: str | None = None,
    third_party: str | None = None,
) -> Grant:
    """A grant under a consent for any of its languages, courses and purposes, or for those that are given.

    Raises ConsentRefused, with the registry's reason, where it grants none.
    """
    try:
        scope = registry.show(consent).scope
    except DubError as error:
        raise ConsentRefused(error.message.rstrip("."), remedy=error.remedy) from error
    courses = (course,) if course else ("any",) if scope.courses == "any" else scope.courses
    purposes = (purpose,) if purpose else tuple(each for each in scope.purposes if each not in scope.forbidden)
    refused: ConsentRefused | None = None
    for each_language in (language,) if language else scope.languages:
        for each_course in courses:
            for each_purpose in purposes or scope.purposes:
                try:
                    return registry.grant(
                        consent=consent,
                        person=person,
                        language=each_language,
                        course=each_course,
                        purpose=each_purpose,
                        commercial=False,
                        third_party=third_party,
                        territory=scope.territories[0],
                    )
                except ConsentRefused as error:
                    refused = refused or error
    raise refused or ConsentRefused(f"{consent} covers nothing")
