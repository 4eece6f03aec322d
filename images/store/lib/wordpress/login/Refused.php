<?php

declare(strict_types=1);

namespace Urumi\Login;

/** Why a link opens nothing: one constant text each, for the log. Nothing of what was sent is in it. */
final class Refused extends \Exception
{
}
