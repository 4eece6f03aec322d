<?php

declare(strict_types=1);

namespace Urumi\Seed;

/** What the seed does with one bundled plugin or theme. */
enum Verdict
{
    case Leave;
    case Stamp;
    case Bring;
}
