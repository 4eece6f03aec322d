<?php

declare(strict_types=1);

namespace Urumi\Agent;

/**
 * Why a store is ready or is not. Each is one constant text: the kubelet puts it into an event, and equal
 * events are counted instead of flooding. Details go to the agent's log.
 */
enum Reason: string
{
    case Ready = 'Ready.';
    case Starting = 'The agent is starting.';
    case LookFailed = 'The agent cannot look at the store; its log says why.';
    case ContentReadOnly = 'wp-content cannot be written.';
    case ContentIncomplete = 'The bundled plugins and themes cannot be brought into wp-content.';
    case DatabaseAway = 'The database does not answer.';
    case DatabaseRefuses = 'The database refuses the store\'s password.';
    case DatabaseLost = 'The database was lost: it is not the one that this store was installed in. Restore a backup.';
    case ContentLost = 'wp-content was lost: it is not the one that this store was installed in. Restore a backup.';
    case Strangers = 'The database and wp-content belong to different installations. Restore a backup.';
    case TablesBroken = 'Core tables are missing or broken. Restore a backup.';
    case Installing = 'WordPress is not installed yet.';
    case Upgrading = 'The database is being upgraded.';
    case SiteWrong = 'The site is not set up as asked yet.';
    case PluginsInactive = 'The bundled plugins are not all active yet.';
    case ShopIncomplete = 'WooCommerce is not whole yet.';
    case PagesMissing = 'The shop\'s pages do not answer yet.';
}
